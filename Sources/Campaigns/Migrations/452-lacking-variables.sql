-- A LackingVariables under the campaign's key; NULL where no upload found any.
ALTER TABLE campaign_content ADD COLUMN lacking bytea;
GRANT UPDATE ON campaign_content TO sluice_app;
