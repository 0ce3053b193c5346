-- The first step towards one list of a node's sources (decision 0079): whether receivers see the address, and room for
-- addresses that the system picks, which belong to no pool. Nobody writes the latter yet.
ALTER TABLE node_sources
    ADD COLUMN is_seen boolean NOT NULL DEFAULT true,
    ALTER COLUMN pool DROP NOT NULL;
