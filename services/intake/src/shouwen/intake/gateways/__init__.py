"""What intake reaches outside its database: the store of files, and the mailbox it reads."""
