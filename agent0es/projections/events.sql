-- Every event as it stands in the log. `agent0es events` shows them with long texts in place.

CREATE TABLE facts.event (
    position BIGINT NOT NULL,
    run VARCHAR,
    stream VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    type VARCHAR NOT NULL,
    time TIMESTAMP NOT NULL,
    handler VARCHAR,
    content JSON NOT NULL USING COMPRESSION zstd,
    meta JSON NOT NULL USING COMPRESSION zstd,
    chain_hash VARCHAR NOT NULL USING COMPRESSION uncompressed
);

INSERT INTO facts.event BY NAME
SELECT position, run, stream, version, type, time, handler, coalesce(stored, content) AS content, meta, chain_hash
FROM batch;

CREATE VIEW events AS
SELECT
    position, run, stream, version, type, time, handler, content, meta, sha256(content) AS content_hash, chain_hash
FROM facts.event;
COMMENT ON VIEW events IS 'Every event of every run, as stored in the log.';
COMMENT ON COLUMN events.position IS 'Place in the log; no two events share one.';
COMMENT ON COLUMN events.run IS 'Name of the run.';
COMMENT ON COLUMN events.stream IS 'E.g. task/<run>/12.';
COMMENT ON COLUMN events.version IS 'Place in its stream, from 1.';
COMMENT ON COLUMN events.type IS 'E.g. TaskProposed.';
COMMENT ON COLUMN events.time IS 'When it was appended, UTC.';
COMMENT ON COLUMN events.handler IS 'Who appended it; cli for what the user did.';
COMMENT ON COLUMN events.content IS 'What happened. A string of more than 200 bytes stands as {"$text": "<sha256>"}.';
COMMENT ON COLUMN events.meta IS 'How it went: event id, host, cause, what was measured.';
COMMENT ON COLUMN events.content_hash IS 'sha256 of the content.';
COMMENT ON COLUMN events.chain_hash IS 'sha256 over the previous chain hash and this event.';
