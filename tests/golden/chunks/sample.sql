-- A shop.
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

-- Open orders.
CREATE VIEW open_orders AS
SELECT * FROM orders WHERE closed IS NULL;

CREATE INDEX idx_name ON customers (name);

CREATE FUNCTION add(a INTEGER, b INTEGER) RETURNS INTEGER AS $$
    SELECT a + b;
$$ LANGUAGE sql;

INSERT INTO customers (id, name) VALUES (1, 'Ada');
