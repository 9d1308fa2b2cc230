/* derived_cuts.h - what was made from a picture by cutting, as deletions ask for it. */
#pragma once

#include "deletion/deletion.h"
#include "meta/cut_memory.h"

/* Good for as long as `memory` is open. */
struct derived derived_cuts(struct cut_memory *memory);
