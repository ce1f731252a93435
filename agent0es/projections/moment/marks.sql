-- Where something of note happened, for the slider.
SELECT e.position, e.type
FROM facts.event e JOIN past h ON e.run = h.run AND e.position <= h.until
WHERE e.type IN (
    'RunForked', 'IterationStarted', 'AdapterTrained', 'AdapterEvaluated', 'AdapterPromoted', 'AdapterRejected',
    'AdapterRolledBack', 'AlarmRaised', 'TrainingFailed', 'HandlerFailed', 'Retracted', 'RunStopped', 'RunCompleted')
ORDER BY e.position
