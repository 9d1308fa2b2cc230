/* ledger.h - the receipts, used by many threads.
 *
 * One thread has the database.  What others want done meanwhile it does in one
 * transaction, so that they share one wait for the disk. */
#pragma once

#include "deletion/receipt.h"

struct ledger;

struct ledger *ledger_open(const char *path, struct err *err);
void ledger_close(struct ledger *ledger); /* NULL is fine; nobody uses it any more */

/* Have `work` called within a transaction and wait until that is on the disk.  Returns
 * what `work` returned, or -1 if the transaction failed.  When something fails that others
 * wanted, `work` may be called a second time: nothing of the first is left then. */
int ledger_do(struct ledger *ledger,
	int (*work)(void *context, struct receipts *receipts, struct err *err), void *context,
	struct err *err);
