-- Alerts
-- What somebody should look at; FROM alerts lists them all.
-- bars: alerts
SELECT kind, count(*) AS alerts, max(time) AS latest, arg_max(message, position) AS latest_message
FROM alerts WHERE run = $run GROUP BY kind ORDER BY kind;
