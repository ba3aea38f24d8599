//! Clock policy: which call sees which time, the clock page, motions, waits, the ledger.
