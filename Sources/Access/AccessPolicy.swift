// What an archive may decide for itself: times, limits, the cost of a password.

/// The settings of access. Times in seconds.
package struct AccessPolicy: Sendable, Equatable {
    /// A session that is not used ends.
    package var idleTimeout = 30 * 60
    /// A session ends however much it is used.
    package var sessionLifetime = 12 * 3600
    /// Wrong passwords in a row that lock an account.
    package var lockOutAfter = 5
    package var lockOutTime = 15 * 60
    /// Failed sign-ins from one address within `failureWindow`, before others from there are turned away.
    package var failuresPerAddress = 30
    package var failureWindow = 10 * 60
    /// A verified credential is believed this long before the records are asked again: what another process revokes
    /// ends within this time, what this process revokes at once.
    package var trust = 2
    package var passwordCost = PasswordCost()
    /// How long a link may be open at most.
    package var longestLink = 90 * 86_400

    package init() {}
}

/// The parameters of scrypt (RFC 7914): 32 MiB and three passes, a fifth of a second here.
package struct PasswordCost: Sendable, Equatable {
    package var rounds = 1 << 15
    package var blockSize = 8
    package var parallelism = 3

    package init() {}
}
