import Checkpoints
import Glibc
import JSON
import Llama
import Manifest
import Methods
import Posix
import Spool
import Tasks
import Tokenizers
import Worker

/// Exit codes of sysexits.h, as the commands use them.
enum Exit {
    static let ok: Int32 = 0
    static let usage: Int32 = 64
    static let badData: Int32 = 65
    static let noInput: Int32 = 66
    static let unavailable: Int32 = 69
    static let software: Int32 = 70
    static let cannotCreate: Int32 = 73
    static let io: Int32 = 74
    static let temporary: Int32 = 75
    static let noPermission: Int32 = 77
    static let configuration: Int32 = 78

    /// The code that an error of any module comes down to.
    static func code(of error: any Error) -> Int32 {
        switch error {
        case let failure as Failure: failure.code
        case let error as PosixError: code(errno: error.errno)
        case let error as CheckpointError: code(of: error.code)
        case let error as TokenizerError: code(of: error.code)
        case let error as LlamaError: code(of: error.code)
        case let error as SpoolError: code(of: error.code)
        case let error as JobError: error.isPermanent ? badData : temporary
        case is ManifestError, is TaskError, is JSONError, is MethodError: badData
        default: software
        }
    }

    private static func code(of code: CheckpointError.Code) -> Int32 {
        switch code {
        case .unreadable: noInput
        case .unavailable: temporary
        default: badData
        }
    }

    private static func code(of code: LlamaError.Code) -> Int32 {
        switch code {
        case .memory, .device, .deviceNotReady, .deviceLost: unavailable
        default: badData
        }
    }

    private static func code(of code: SpoolError.Code) -> Int32 {
        switch code {
        case .alreadyServed: unavailable
        case .unavailable: temporary
        default: configuration
        }
    }

    private static func code(of code: TokenizerError.Code) -> Int32 {
        switch code {
        case .unreadable: noInput
        case .unavailable: temporary
        default: badData
        }
    }

    private static func code(errno: Int32) -> Int32 {
        switch errno {
        case ENOENT, ENOTDIR: noInput
        case EFBIG, ELOOP: badData
        case EACCES, EPERM: noPermission
        case ENOSPC, EDQUOT, EAGAIN: temporary
        default: io
        }
    }
}

/// An error that ends a command with a message on standard error.
struct Failure: Error, CustomStringConvertible {
    let code: Int32
    let message: String

    var description: String { message }

    init(_ code: Int32, _ message: String) {
        self.code = code
        self.message = message
    }

    /// A word of the command line that nothing is called; a guess only where it may be a slip of the hand.
    static func unknown(_ what: String, _ word: String, among known: [String], help: String) -> Failure {
        let guess = nearest(to: word, in: known, within: 2)
        return Failure(
            Exit.usage, "\(what) \(printable(word)); \(guess.map { "did you mean \($0)?" } ?? "see \(help)")")
    }
}

/// An error in words and with the mend, where what is missing is a right that a folder's group has.
///
/// - Parameter right: the group's, that the mend needs.
func ofGroup(_ error: PosixError, _ words: String, folder: String, right: UInt32 = S_IXGRP) -> any Error {
    guard [EACCES, EPERM].contains(error.errno) else { return error }
    var status = stat()
    // Nobody is to be put into root's group for this.
    guard stat(folder, &status) == 0, status.st_gid != 0, status.st_mode & right != 0,
        let group = getgrgid(status.st_gid).map({ String(cString: $0.pointee.gr_name) })
    else { return Failure(Exit.noPermission, "\(words); run it as root, or as the user whom the daemon runs as") }
    return Failure(
        Exit.noPermission,
        "\(words); the group \(group) may: usermod -aG \(group) USER puts a user into it from the next login on")
}

/// Makes a folder that somebody named; where none can be, the message has the mend.
func make(_ folder: String, _ remedy: String) throws {
    do throws(PosixError) { try Files.makeDirectories(folder) } catch {
        guard [ENOENT, ENOTDIR, EEXIST].contains(error.errno) else { throw error }
        throw Failure(Exit.cannotCreate, "\(error); \(remedy)")
    }
}
