package org.megatron.mobile.ui

import java.io.Closeable
import java.util.concurrent.Executor

/**
 * A value that screens watch. It may be set from any thread; watchers are told on [main], the newest value always, one
 * that was replaced before they were told not at all.
 */
class Observed<T>(first: T, private val main: Executor) {
    private val watchers = LinkedHashSet<(T) -> Unit>()
    private var isToldSoon = false

    var value: T = first
        @Synchronized get
        @Synchronized set(next) {
            field = next
            if (isToldSoon) return
            isToldSoon = true
            main.execute(::tell)
        }

    /** Tell [watcher] the value now and whenever it changes, until the result is closed. Call and close on the main thread. */
    fun watch(watcher: (T) -> Unit): Closeable {
        watchers += watcher
        watcher(value)
        return Closeable { watchers -= watcher }
    }

    private fun tell() {
        val now = synchronized(this) {
            isToldSoon = false
            value
        }
        watchers.toList().forEach { if (it in watchers) it(now) }
    }
}
