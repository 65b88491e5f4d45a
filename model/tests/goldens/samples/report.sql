WITH recent AS (
  SELECT customer_id, COUNT(*) AS orders, SUM(total_cents) / 100.0 AS spent
    FROM orders
   WHERE placed_at >= NOW() - INTERVAL '30 days' AND status <> 'void'
   GROUP BY 1
)
SELECT c.name, COALESCE(r.spent, 0)::numeric(10, 2) -- the client's currency
  FROM customers c
  LEFT JOIN recent r ON r.customer_id = c.id
 ORDER BY r.spent DESC NULLS LAST LIMIT 25;
