-- What became of second factors is kept for 400 days. Who serves requests may then delete it, and not before: this policy stands
-- beside the others, and all of them must agree.
CREATE INDEX second_factor_changes_age ON second_factor_changes (changed_at);
CREATE POLICY old_alone ON second_factor_changes AS RESTRICTIVE FOR DELETE TO sluice_app
    USING (changed_at < now() - interval '400 days');
GRANT DELETE ON second_factor_changes TO sluice_app;
