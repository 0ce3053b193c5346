-- Whether an account, or the installation (account 0), demands a second factor of its people. Nodes of the version before do
-- not ask for it.
ALTER TABLE account_people ADD COLUMN demands_second_factor boolean NOT NULL DEFAULT false;
GRANT UPDATE (demands_second_factor) ON account_people TO sluice_app;
GRANT SELECT (demands_second_factor), UPDATE (demands_second_factor) ON account_people TO sluice_api;

-- An account's people see which of them have one, and nothing of it.
GRANT SELECT (account_id, user_id, confirmed_at) ON second_factors TO sluice_api;
