/* remote_source.h - pictures fetched from a storage over the FastDFS protocol. */
#pragma once

#include "delivery/delivery.h"
#include "fdfs/client.h"

/* As an entry of a delivery's table, valid as long as `client`. */
struct delivery_source remote_source_entry(struct fdfs_client *client);
