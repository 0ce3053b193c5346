-- Addresses that the node's mail leaves from, as text.
ALTER TABLE nodes ADD COLUMN sources text[] NOT NULL DEFAULT '{}';
