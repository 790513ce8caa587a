/** Accounts of a core that no daemon stands around: builds in memory, logs as a test has them, the project's own rules. */
import { type AccountParts, AccountQueries } from "../../node/account-queries.ts";
import { readRules } from "../../node/diagnosis-rules.ts";
import type { Queries } from "../../node/queries.ts";
import type { Core } from "../../protocol/core.ts";

export const accountsOf = (core: Core, queries: Queries, parts: Partial<AccountParts> = {}): AccountQueries =>
  new AccountQueries({
    core,
    queries,
    recall: { find: async (id) => queries.find(id) },
    tailOf: async () => null,
    rules: () => readRules(),
    ...parts,
  });
