#include "store/company.h"

size_t company_expected(struct company *company, size_t count, size_t bytes)
{
	if (bytes > COMPANY_BYTES_MAX || count >= company->lately || company_wait_us(company) == 0)
		return count;
	if (company->skip > 0) {
		company->skip--;
		return count;
	}
	return company->lately;
}

int64_t company_wait_us(const struct company *company)
{
	return company->flush_us < COMPANY_WAIT_MAX_US ? company->flush_us : COMPANY_WAIT_MAX_US;
}

void company_came(struct company *company, size_t expected, size_t count)
{
	if (count >= expected) {
		company->skip_next = 0;
		return;
	}
	company->skip_next = company->skip_next == 0 ? 1 : company->skip_next * 2;
	if (company->skip_next > COMPANY_SKIP_MAX)
		company->skip_next = COMPANY_SKIP_MAX;
	company->skip = company->skip_next;
}

void company_flushed(struct company *company, size_t count, size_t queued, int64_t flush_us)
{
	company->lately = count + queued;
	if (company->flush_us == 0)
		company->flush_us = flush_us;
	company->flush_us += (flush_us - company->flush_us) / 8;
}
