-- A destroyed key lies in a dead row until vacuum has passed: after the first one, and not only after eleven.
ALTER TABLE campaign_keys SET (autovacuum_vacuum_threshold = 0);
