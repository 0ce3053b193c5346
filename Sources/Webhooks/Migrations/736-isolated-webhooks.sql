-- See 730.
SELECT isolate_accounts('webhook_endpoints', 'webhook_events', 'webhook_deliveries', 'webhook_attempts');

GRANT SELECT, INSERT, DELETE, UPDATE
    ON webhook_endpoints, webhook_events, webhook_deliveries, webhook_attempts TO sluice_api;
