"""What each way to the answer costs under the present conditions."""
