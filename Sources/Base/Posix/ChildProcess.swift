internal import CPosix
import Glibc

/// A program that this process started, in a process group of its own.
///
/// The child gets default signal dispositions, an empty mask and no descriptors but its standard ones and those it is
/// given. It is killed when the thread that started it ends, so start children from a thread that lasts.
public final class ChildProcess: Sendable {
    /// How a process ended: with a code of its own, 0 to 255, or by a signal.
    public enum Exit: Sendable, Equatable {
        case code(Int32)
        case signal(Int32)
    }

    /// Of the process, and of its group.
    public let id: Int32
    /// Readable once the process has ended (a pidfd).
    public let ending: Descriptor

    /// Starts `path` with `arguments` after its own name.
    ///
    /// - Parameter inheriting: the child's descriptor number to a descriptor of this process; 0, 1 and 2 are passed on unless named.
    public init(
        _ path: String, arguments: [String] = [], inheriting: [Int32: Descriptor] = [:]
    ) throws(PosixError) {
        let inherited = inheriting.map { cposix_inherited(source: $0.value.number, target: $0.key) }
        let words = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        id = try system("execve", path) {
            withExtendedLifetime(inheriting) {
                cposix_spawn(path, words, environ, inherited, Int32(inherited.count), SIGKILL)
            }
        }
        let process = id
        do throws(PosixError) {
            ending = Descriptor(try system("pidfd_open") { cposix_pidfd_open(process) })
        } catch {
            Glibc.kill(process, SIGKILL)
            waitpid(process, nil, 0)
            throw error
        }
    }

    /// Sends `signal` to the process; to all of its group when `wholeGroup`. A process that has ended is no error, but do
    /// not call this after its exit was collected.
    public func kill(_ signal: Int32, wholeGroup: Bool = false) {
        _ = Glibc.kill(wholeGroup ? -id : id, signal)
    }

    /// How the process ended, nil while it runs. Collects it: ask once.
    public func exit() throws(PosixError) -> Exit? {
        var status: Int32 = 0
        guard try system("waitpid", "", { waitpid(id, &status, WNOHANG) }) == id else { return nil }
        return Self.exit(status)
    }

    /// Waits for the end of the process and collects it.
    public func waitForExit() throws(PosixError) -> Exit {
        var status: Int32 = 0
        try system("waitpid") { waitpid(id, &status, 0) }
        return Self.exit(status)
    }

    private static func exit(_ status: Int32) -> Exit {
        let signal = cposix_ending_signal(status)
        return signal != 0 ? .signal(signal) : .code(cposix_exit_code(status))
    }
}
