/* dice.h - numbers that follow from a seed alone (SplitMix64). */
#pragma once

#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline uint64_t dice_bits(struct dice *dice)
{
	uint64_t x = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* 0 to sides - 1. */
static inline uint32_t dice_roll(struct dice *dice, uint64_t sides)
{
	return (uint32_t)(dice_bits(dice) % sides);
}
