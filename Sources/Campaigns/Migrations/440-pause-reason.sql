ALTER TABLE campaigns ADD COLUMN pause_reason text
