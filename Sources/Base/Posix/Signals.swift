internal import CPosix
import Glibc

/// The signals a program answers in its loop, one byte each in a pipe.
///
/// A pipe rather than signalfd(2), so that no mask has to be set in every thread nor travels to children.
public final class Signals: Sendable {
    private let pipe: Pipe
    private let caught: [Int32]

    /// Catches `signals` until the value goes. Only one value may catch a signal at a time.
    public init(catching signals: [Int32]) throws(PosixError) {
        pipe = try Pipe()
        caught = signals
        try pipe.reading.setNonBlocking()
        try pipe.writing.setNonBlocking()
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals {
            try system("sigaction") { cposix_announce_signal(signal, pipe.writing.number) }
            sigaddset(&set, signal)
        }
        // Whoever started this program may have blocked them.
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    deinit {
        for signal in caught { _ = cposix_restore_signal(signal) }
    }

    /// Readable when a signal has come.
    public var descriptor: Descriptor { pipe.reading }

    /// The signals that came since the last call, in order; never waits.
    public func received() throws(PosixError) -> [Int32] {
        try pipe.reading.read()?.map(Int32.init) ?? []
    }

    /// As if `signal` had come to the process.
    public func announce(_ signal: Int32) throws(PosixError) {
        try pipe.writing.write([UInt8(truncatingIfNeeded: signal)])
    }

    /// Makes children leave their exits to be collected: whoever started this program may have had them ignored, which is
    /// inherited.
    public static func heedChildren() { signal(SIGCHLD, SIG_DFL) }

    /// Makes writes to a closed pipe or socket fail with `EPIPE` instead of ending the process.
    public static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
}
