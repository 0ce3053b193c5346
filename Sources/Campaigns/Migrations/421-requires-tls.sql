ALTER TABLE campaigns ADD COLUMN requires_tls boolean NOT NULL DEFAULT false
