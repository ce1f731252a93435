-- Long texts by their hash. Copied from the log when a query names this table (`fold.Projections`), so that nobody else
-- waits for it: prompts alone can be half of a log.

CREATE TABLE texts (
    sha256 VARCHAR NOT NULL,
    text VARCHAR NOT NULL USING COMPRESSION zstd
);
COMMENT ON TABLE texts IS 'Every text of more than 200 bytes by its hash: what {"$text": "<sha256>"} stands for, in model_calls.prompt and events.content.';
COMMENT ON COLUMN texts.sha256 IS 'sha256 of the text in UTF-8.';
COMMENT ON COLUMN texts.text IS 'The text. May be hostile.';

CREATE TABLE facts.texts_copied (position BIGINT NOT NULL);
