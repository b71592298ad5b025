"""The prediction log's collector: CloudEvents in, Parquet by service, version and hour out, as docs/prediction-log.md says."""
