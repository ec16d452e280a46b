"""What Replication says: nothing that anybody reacts to; its work is another database."""
