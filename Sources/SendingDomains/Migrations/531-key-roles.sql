-- `next` waits until the DNS has its record, `signing` signs, `retired` has signed mail that is still under way.
ALTER TABLE domain_keys
    ADD COLUMN role text NOT NULL DEFAULT 'signing' CHECK (role IN ('next', 'signing', 'retired')),
    ADD COLUMN retired_at timestamptz;
GRANT UPDATE (role, retired_at) ON domain_keys TO sluice_app;
