"""The report as one HTML file that opens from disk: answer, reasons, search, conversation, cost. Nothing in it comes from a network."""
