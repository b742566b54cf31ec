// The commented configuration file that a first start writes.

extension Configuration {
    /// Every setting with its default, commented out, so that a default can change with a later version.
    package static let template = """
        # Phim configuration. Every setting is optional; what is commented out shows the default.
        # Sizes take KiB, MiB, GiB. Command line options of `phim serve` win over this file.
        # The server reads this file when it starts.

        dicom:
          # aeTitle: PHIM              # our application entity title, at most 16 characters
          # host: 0.0.0.0              # address to listen on
          # port: 11112
          # trustLoopback: true        # programs on this machine may call without being a peer
          # checkCalledAETitle: false  # true: refuse callers that ask for another AE title than ours
          # acceptUnknownSOPClasses: true  # also keep private and future kinds of objects
          # characterSet: utf8         # answers to queries: utf8, latin1 or ascii; settable per peer
          # maxAssociations: 100       # in total
          # maxAssociationsPerPeer: 32
          # reservedAssociations: 4    # above maxAssociations, for peers of priority stat alone
          # maxPDU: 131072             # bytes
          # idleTimeout: 60            # seconds without a message before an association is aborted
          # negotiationTimeout: 10     # seconds that a caller has to introduce itself
          # tls: { port: 2762, certificate: dicom.pem, key: dicom.key, ca: partners.pem }  # no default: DICOM TLS
          #   # requireClientCertificate: true; without port only peers with tls: true are called so

        http:
          # host: 127.0.0.1
          # port: 8080
          # tls: { certificate: server.pem, key: server.key }  # no default: HTTPS; read again when they change
          # maxConnections: 512        # in total
          # maxConnectionsPerAddress: 256
          # idleTimeout: 30            # seconds from the connection, or the last answer, to a whole request header
          # compactFrames: htj2k       # no default: frames go to viewers in HTJ2K, without loss, for thin lines
          # ohif: DIR                  # no default: folder of the OHIF viewer (scripts/fetch-ohif)
          # publicURL: https://pacs.example.org  # no default: what addresses in answers begin with
          # allowedOrigins: []         # web sites whose pages may call with a token, such as https://viewer.example.org
          # isolatePages: false        # true: pages get COOP and COEP, for viewers that want shared memory

        storage:
          # volumeSize: 1GiB           # size of one tar volume
          # streamThreshold: 64MiB     # larger objects go to a volume of their own
          # arrivalMemory: 512MiB      # no default: an eighth of the machine's memory, 128MiB to 1GiB; objects that
          #   # are on their way in; above it those larger than 4MiB go to volumes of their own
          # reserve: 64MiB             # free space below which new objects are refused (A700H), reading goes on

        access:
          # idleTimeout: 1800          # seconds without a request that end a browser's session
          # sessionLifetime: 43200     # seconds that end it in any case
          # lockOutAfter: 5            # wrong passwords in a row that lock an account
          # lockOutTime: 900           # seconds that it stays locked; phim account enable NAME unlocks it at once
          # failuresPerAddress: 30     # failed sign-ins from one address within failureWindow
          # failureWindow: 600         # seconds
          # longestLink: 7776000       # seconds that a link to a study may live at most
          # trustedProxies: []         # addresses of reverse proxies whose X-Forwarded-For is believed
          # origins: []                # other web sites whose pages may act for who is signed in here
          # secureCookies: false       # true behind a proxy that encrypts; with TLS here it is so by itself
          # openMetrics: false         # true: /metrics for everybody; otherwise this machine, or with a token
          # auditBacklog: 10000        # events kept in memory while the audit trail cannot be written
          # auditMonths: 24            # months that the audit trail is kept; older rows are cut once a day

        hl7:
          # port: 2575                 # no default: HL7 v2 messages over MLLP (docs/hl7.md)
          # host: 127.0.0.1            # 0.0.0.0 is everyone
          # tls: { certificate: server.pem, key: server.key }  # no default: MLLPS
          # allowedAddresses: []       # [10.1.0.0/16]: who may connect; everybody when empty
          # maxConnections: 64
          # idleTimeout: 600           # seconds

        hospital:
          # facility: ""               # code of the hospital: namespace of its patient codes and accession numbers
          # name: ""                   # Institution Name in worklists, at most 64 characters
          # accessionPrefix: PH        # of accession numbers made here, at most 3 characters
          # duplicateOrderHours: 24    # the same procedure ordered twice for one patient within this time is warned of
          # worklistLimit: 10000       # answers to one worklist query at most; the log says when it was met
          # worklistOwnStation: false  # true: who asks for no station gets only its own steps, and those for any station
          # settleSeconds: 60          # without a further image for so long a study is complete
          # completeSettled: true      # procedures of modalities that report nothing (MPPS) are completed then

        # Who is told that the images of an order are there (docs/notices.md)
        # notices:
        #   - { name: his, address: mllp://192.0.2.30:2576, message: ORU, receiver: HIS^24001, keyImages: 3 }
        #   - { name: emr, address: https://emr.example.org/images, secretFile: emr-secret, ca: emr-ca.pem }

        # Where studies are sent on to (docs/forwarding.md); also by phim destination and phim route while the server runs
        forwarding:
          # station: ""                # name by which the centre knows this archive; otherwise hospital.facility
          # destinations: []           # [{ name: centre, phim: https://pacs.example.org, tokenFile: secrets/centre }]
          # routes: []                 # [{ name: all, to: centre, when: ["modality=CT,MR"], priority: normal }]
          # priors: { from: centre, match: modality, studies: 5, years: 5 }  # no default: earlier studies that an order asks for
          # purge: { whenFullerThan: 80, automatic: false }  # afterDays: 90  images proven elsewhere may go then

        # Sign-in at the hospital's identity provider (OpenID Connect), as a part of access: (docs/oidc.md)
        #   oidc:
        #     issuer: https://id.example.org/realms/hospital
        #     clientID: phim
        #     clientSecretFile: oidc-secret   # in the data directory, or an absolute path
        #     rolesClaim: realm_access.roles
        #     roles: { pacs-admin: administrator, radiology: radiologist, ward: referring-physician }
        #     publicURL: https://pacs.example.org

        # Peers may also be added while the server runs: phim peer add NAME --ae-title AET --host HOST --port PORT
        # peers:
        #   - { name: ct1, aeTitle: CT1, host: 192.0.2.10, port: 104, charset: latin1 }
        #   - { name: er, aeTitle: ER_XRAY, host: 192.0.2.20, port: 104, priority: stat }  # stat, routine or bulk
        #   - { name: centre, aeTitle: CENTRE, host: pacs.example.org, port: 2762, tls: true }
        """ + "\n"
}
