-- The mailbox provider whose users alone were counted; none where all of the campaign's or account's mail was.
ALTER TABLE campaign_brakes ADD COLUMN provider text;
