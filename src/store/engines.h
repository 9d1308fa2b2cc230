/* engines.h - the engines that engine_open knows. */
#pragma once

#include "store/engine.h"

extern const struct engine_ops engine_volume, engine_file, engine_faulty, engine_s3, engine_rados;
