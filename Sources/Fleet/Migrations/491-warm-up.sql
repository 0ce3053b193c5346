-- The addresses that each node sends from, as its operator has given them; none where the system picks one. What
-- warms up bounds what a campaign can reach, which customers are told before they send.
CREATE TABLE node_sources (
    node text NOT NULL,
    source text NOT NULL,
    pool text NOT NULL,
    -- Days since 1970; NULL for a source that receivers know.
    warm_up_from integer,
    -- Mails to one provider on that day and those after.
    allowances bigint[] NOT NULL,
    PRIMARY KEY (node, source)
);
GRANT SELECT, INSERT, DELETE ON node_sources TO sluice_app;
