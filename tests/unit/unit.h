/* unit.h - a test is named by the sentence it proves.
 *
 *     TEST(reads_back_what_it_writes)
 *     {
 *             assert_int_equal(1 + 1, 2);
 *     }
 *
 * TEST() defines a cmocka test and lists it; unit_main.c runs the list in the order
 * of the file.  A test that needs files calls unit_scratch(). */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void unit_add(const char *name, CMUnitTestFunction function);

/* An empty folder for this test alone; removed when the program ends. */
const char *unit_scratch(void);

#define TEST(name) \
	static void test_##name(void **state); \
	__attribute__((constructor)) static void add_##name(void) \
	{ \
		unit_add(#name, test_##name); \
	} \
	static void test_##name(__attribute__((unused)) void **state)
