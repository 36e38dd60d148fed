/**
 * Usernames that nobody may register: they would speak for the house, receive mail meant for its operator,
 * or be a system user on a machine where people have Linux accounts. Spelt without separators; username.ts
 * compares look-alikes (adm1n, r00t, no-reply) by its own rule. The brand's names are added by the caller.
 */

/** Who runs the place: a person would believe a message from these. */
const authority = `
  admin administrator admins sysadmin sysadministrator superadmin superuser sysop operator
  operators root toor owner owners founder founders manager management moderator moderators mod
  mods staff team official officials employee employees support supports helpdesk help helper
  service services customerservice customercare care security legal compliance privacy dpo gdpr
  police billing payment payments invoice invoices finance accounting sales marketing press media
  jobs career careers hr ceo cto cfo coo ciso it itsupport verified verify verification anonymous
  deleted unknown ghost guest guests public private everyone everybody anybody someone all channel
  bot bots robot system systems letuslearn letuslearnnow
`

/** RFC 2142, the mailboxes that certificate authorities trust (CA/B Forum baseline 3.2.2.4.4), bounces. */
const mailboxes = `
  abuse noc postmaster hostmaster webmaster usenet news webmail mailmaster mailadmin mail email
  emails ssladmin ssladministrator sslwebmaster domainadmin domainadministrator domain dnsadmin
  dns noreply donotreply dontreply nospam spam bounce bounces mailerdaemon maildaemon mailer
  daemon listserv list lists listmaster majordomo mailman newsletter newsletters subscribe
  unsubscribe info information contact contactus office enquiries inquiries feedback notification
  notifications notify alert alerts reply replies autoconfig autodiscover mtasts dmarc dkim spf
`

/** What a Linux system or a common package calls its own. */
const systemUsers = `
  bin boot sys sync games man lp uucp proxy backup irc gnats nobody nogroup apt tty disk kmem
  dialout fax cdrom floppy tape sudo audio dip wwwdata src shadow utmp sasl plugdev users user
  input kvm render sgx crontab cron netdev messagebus dbus polkitd polkit rtkit avahi uuidd sshd
  ssh ftp ftpd sftp tftp vsftpd http https httpd nginx apache apache2 caddy haproxy squid traefik
  mysql mariadb postgres postgresql pgsql redis memcache memcached mongodb mongo rabbitmq
  elasticsearch kafka docker podman lxd libvirt qemu kubernetes k8s etcd vault git gitea gogs
  gitlab forgejo svn cvs jenkins ansible nagios zabbix prometheus grafana postfix exim exim4
  sendmail smtp smtps smmsp smmta dovecot dovenull dovecotauth imap imaps pop pop3 pop3s opendkim
  rspamd clamav amavis spamassassin vmail bind named unbound dnsmasq ntp ntpd chrony ntpsec syslog
  rsyslog systemd journal udev wheel adm halt shutdown reboot poweroff vagrant ubuntu debian
  centos fedora ec2user pi minidlna samba nfs nfsnobody rpc rpcuser rpcbind statd tcpdump tss
  colord saned geoclue sddm gdm lightdm cloudreve nextcloud owncloud node npm php oracle tomcat
  hadoop mysqld
`

/** Addresses of ours, of the protocol and of neighbouring subdomains: a profile page or host must not take them. */
const addresses = `
  www www1 www2 web website site home index app apps api apis rest graphql cdn static assets asset
  files file img image images avatar avatars picture pictures css js javascript font fonts favicon
  robots sitemap wellknown oauth oauth2 oidc openid sso saml idp auth authn authz authorize
  authorization authenticate authentication login logout logon logoff signin signout signup signon
  register registration registrations registered token tokens introspect revoke revocation
  userinfo jwks keys key device devices consent interaction interactions session sessions account
  accounts profile profiles username usernames password passwords passwd reset forgot recover
  recovery confirm confirmation invite invites invitation invitations welcome settings setting
  preferences config configuration configure dashboard console panel cpanel controlpanel client
  clients role roles permission permissions group groups member members health healthz ready
  readyz metrics status monitor monitoring uptime docs doc documentation faq about aboutus terms
  tos policy policies imprint impressum cookie cookies download downloads upload uploads blog
  forum forums wiki shop store cart checkout search example examples stage staging prod production
  beta alpha release local localhost localdomain broadcasthost host hosts gateway router server
  servers database db sql ns ns1 ns2 ns3 ns4 mx mx1 mx2 vpn ldap radius kerberos wpad
  isatap forwardauth acme webhook webhooks callback callbacks event events job worker workers
  queue
`

/** Words that programs mistake for a value or for the reader. */
const values = `
  me my mine self myself you your yours i we us them they null nil none undefined nan void true
  false yes no new create add edit update delete remove default empty blank object array string
  number boolean constructor prototype proto tostring valueof hasownproperty
`

export const reservedUsernames: readonly string[] = [
  authority,
  mailboxes,
  systemUsers,
  addresses,
  values,
].flatMap((words) => words.split(/\s+/).filter(Boolean))
