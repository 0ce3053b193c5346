-- Strangers who have asked for an account of their own, until their code is right or its time is over. Nothing else of them is
-- kept, and nothing is made for them before. A row is found by the secret of the browser that has asked. One whose address signs
-- in here already takes guesses like any other, and its mail has no code.
CREATE TABLE sign_ups (
    browser_hash bytea PRIMARY KEY CHECK (octet_length(browser_hash) = 32),
    address text NOT NULL CHECK (octet_length(address) <= 320),
    account_name text NOT NULL,
    password_hash text NOT NULL CHECK (password_hash LIKE '$2b$%'),
    -- Keyed. Null until the mail is made, which is when the code is.
    code_hash bytea CHECK (octet_length(code_hash) = 32),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    expires_at timestamptz NOT NULL,
    -- When a node may make its mail next; null where there is none to make.
    mail_due_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX sign_ups_mail ON sign_ups (mail_due_at) WHERE mail_due_at IS NOT NULL;
CREATE INDEX sign_ups_end ON sign_ups (expires_at);

-- How often strangers have asked within a day: from a network, with an address, and all together. Subjects are keyed hashes.
CREATE TABLE sign_up_attempts (
    subject bytea PRIMARY KEY CHECK (octet_length(subject) = 32),
    started_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX sign_up_attempts_age ON sign_up_attempts (started_at);

-- Locks a subject's row to the end of the transaction; a day that is over, or that begins after now because the clock was set
-- back, begins anew.
CREATE FUNCTION open_sign_up_day(p_subject bytea, OUT attempts integer, OUT seconds integer) LANGUAGE sql AS $$
    INSERT INTO sign_up_attempts AS a (subject) VALUES (p_subject)
    ON CONFLICT (subject) DO UPDATE SET (started_at, attempts) = (
        SELECT CASE WHEN o.is_open THEN a.started_at ELSE now() END, CASE WHEN o.is_open THEN a.attempts ELSE 0 END
        FROM (SELECT abs(extract(epoch FROM now() - a.started_at)) < 86400 AS is_open) o)
    RETURNING a.attempts, greatest(1, ceil(extract(epoch FROM a.started_at - now()) + 86400))::integer
$$;

-- Counts a request of a stranger's before anything is done for it. A refused one is not counted, and leaves no row behind: all
-- three are judged before the first is locked, and again under their locks, which are taken in the order network, address, all
-- together.
--
-- Returns 0, or the seconds after which to try again.
CREATE FUNCTION take_sign_up(
    p_network bytea, p_address bytea, p_all bytea, p_network_limit integer, p_address_limit integer, p_limit integer
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    refused integer;
    network record;
    address record;
    everybody record;
BEGIN
    SELECT max(greatest(1, ceil(extract(epoch FROM a.started_at - now()) + 86400)))::integer INTO refused
    FROM sign_up_attempts a
    JOIN (VALUES (p_network, p_network_limit), (p_address, p_address_limit), (p_all, p_limit)) AS l (subject, most)
        ON l.subject = a.subject
    WHERE a.attempts >= l.most AND abs(extract(epoch FROM now() - a.started_at)) < 86400;
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    SELECT * INTO network FROM open_sign_up_day(p_network);
    IF network.attempts >= p_network_limit THEN
        RETURN network.seconds;
    END IF;
    SELECT * INTO address FROM open_sign_up_day(p_address);
    IF address.attempts >= p_address_limit THEN
        RETURN address.seconds;
    END IF;
    SELECT * INTO everybody FROM open_sign_up_day(p_all);
    IF everybody.attempts >= p_limit THEN
        RETURN everybody.seconds;
    END IF;
    UPDATE sign_up_attempts SET attempts = sign_up_attempts.attempts + 1
    WHERE subject IN (p_network, p_address, p_all);
    RETURN 0;
END
$$;

REVOKE ALL ON sign_ups, sign_up_attempts FROM PUBLIC, sluice_app;
REVOKE ALL ON FUNCTION open_sign_up_day(bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION take_sign_up(bytea, bytea, bytea, integer, integer, integer) FROM PUBLIC;
GRANT SELECT, INSERT (browser_hash, address, account_name, password_hash, expires_at, mail_due_at),
    UPDATE (code_hash, attempts, mail_due_at), DELETE ON sign_ups TO sluice_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_up_attempts TO sluice_app;
GRANT EXECUTE ON FUNCTION open_sign_up_day(bytea) TO sluice_app;
GRANT EXECUTE ON FUNCTION take_sign_up(bytea, bytea, bytea, integer, integer, integer) TO sluice_app;
