-- Facts are noted in the order of time, so their ages lie together.
CREATE INDEX feedback_facts_by_age ON feedback_facts USING brin (noted_at);
