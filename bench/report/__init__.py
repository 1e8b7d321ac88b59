"""Tables, plots and progress of the reports."""
