"""A run's winner outside of AgentNAS: exported forms with their model card, and predictions for new graphs."""
