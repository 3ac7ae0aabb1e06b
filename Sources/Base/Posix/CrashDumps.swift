internal import CPosix

/// What a process that crashes leaves behind of its memory.
public enum CrashDumps {
    /// From now on nothing: no core, and no backtrace, since Swift's shows what lies in memory where the registers point. The
    /// signal still tells whoever waits for the process. Programs that this one starts have to ask for it themselves.
    public static func forbid() { cposix_leave_nothing_behind() }
}
