-- compatible: nothing has written or read it since registration is ours (clients.management_hash, registration_tokens)
drop table registration_access_tokens;
