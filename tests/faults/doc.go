// Package faults holds the agent's loading against everything that can go wrong
// between a node and its module repository: a real server of the S3 protocol and
// an HTTPS server, each behind a proxy that does the harm. The table in
// docs/faults.md is that of its test.
package faults
