-- Which backup the rows came from, if they came from one: what an interrupted restore goes by.
CREATE TABLE restored (
    id BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
