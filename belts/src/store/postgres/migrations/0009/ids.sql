-- Ids and digests, as the workers make them.

-- A new id, by which runs and events sort by time: a UUID version 7.
CREATE FUNCTION {schema}.new_id() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
        || substr(replace(gen_random_uuid()::text, '-', ''), 14);
END $$;

-- A text with its length before it.
CREATE FUNCTION {schema}.with_length(in_text text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN int8send(octet_length(in_text)) || convert_to(in_text, 'UTF8');
END $$;

-- The id of an event that follows from its type and its idempotency key: a UUID version 8 over the SHA-256 of both.
CREATE FUNCTION {schema}.event_id(in_type text, in_key text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    hash text := encode(sha256({schema}.with_length(in_type) || {schema}.with_length(in_key)), 'hex');
BEGIN
    RETURN substr(hash, 1, 12) || '8' || substr(hash, 14, 3)
        || to_hex(('x' || substr(hash, 17, 1))::bit(4)::integer & 3 | 8) || substr(hash, 18, 15);
END $$;

-- A number of JSON as serde_json writes it: whole ones of 64 bits as they are, and others as floats.
CREATE FUNCTION {schema}.json_number(in_number numeric) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    plain text := in_number::text;
    parts text[];
    digits text;
    -- How many digits stand before the point.
    whole integer;
BEGIN
    IF plain !~ '\.' AND in_number BETWEEN -9223372036854775808 AND 18446744073709551615 THEN
        RETURN plain;
    END IF;
    -- The shortest that is read as the same float.
    parts := regexp_match(abs(in_number::float8)::text, '^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$');
    digits := parts[1] || coalesce(parts[2], '');
    whole := length(parts[1]) + coalesce(parts[3]::integer, 0) - (length(digits) - length(ltrim(digits, '0')));
    digits := trim('0' FROM digits);
    plain := CASE WHEN in_number < 0 THEN '-' ELSE '' END;
    IF digits = '' THEN
        RETURN plain || '0.0';
    ELSIF whole BETWEEN 1 AND 16 THEN
        digits := rpad(digits, greatest(whole, length(digits)), '0');
        RETURN plain || substr(digits, 1, whole) || '.' || coalesce(nullif(substr(digits, whole + 1), ''), '0');
    ELSIF whole BETWEEN -4 AND 0 THEN
        RETURN plain || '0.' || repeat('0', -whole) || digits;
    END IF;
    RETURN plain || substr(digits, 1, 1) || CASE WHEN length(digits) > 1 THEN '.' || substr(digits, 2) ELSE '' END
        || 'e' || CASE WHEN whole > 0 THEN '+' ELSE '' END || whole - 1;
END $$;

-- JSON as it is fed to a digest: the fields of each object in the order of their names.
CREATE FUNCTION {schema}.json_bytes(in_value jsonb) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE jsonb_typeof(in_value)
        WHEN 'array' THEN
            RETURN '['::bytea || coalesce((SELECT string_agg({schema}.json_bytes(item), ''::bytea ORDER BY nth)
                FROM jsonb_array_elements(in_value) WITH ORDINALITY AS items (item, nth)), ''::bytea) || ']'::bytea;
        WHEN 'object' THEN
            RETURN '{'::bytea || coalesce((SELECT string_agg('"'::bytea || {schema}.with_length(field.key) || {schema}.json_bytes(field.value),
                ''::bytea ORDER BY field.key COLLATE "C") FROM jsonb_each(in_value) AS field), ''::bytea) || '}'::bytea;
        WHEN 'string' THEN
            RETURN '"'::bytea || {schema}.with_length(in_value #>> '{}');
        WHEN 'number' THEN
            RETURN convert_to({schema}.json_number((in_value #>> '{}')::numeric) || ',', 'UTF8');
        ELSE
            RETURN convert_to((in_value::text) || ',', 'UTF8');
    END CASE;
END $$;

-- What tells two events under one id apart.
CREATE FUNCTION {schema}.event_digest(in_type text, in_payload jsonb) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN substr(sha256({schema}.with_length(in_type) || {schema}.json_bytes(in_payload)), 1, 16);
END $$;
