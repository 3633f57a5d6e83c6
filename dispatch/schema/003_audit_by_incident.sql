-- Which incident an entry belongs to is asked of what the chain's hash covers, too: the column `incident` alone is not in it, so
-- somebody who owns the file could take an entry out of an incident's view unseen.
CREATE INDEX audit_by_named_incident ON audit (CASE WHEN json_valid(detail) THEN json_extract(detail, '$.incident') END, seq);
CREATE INDEX audit_by_entity ON audit (entity, seq);
