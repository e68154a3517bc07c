package org.megatron.mobile.ui

import android.annotation.TargetApi
import android.content.ContentResolver
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.provider.OpenableColumns

/** What people call the video at [uri]; its last path segment where nobody tells. Not for the main thread. */
fun videoName(resolver: ContentResolver, uri: String): String {
    val parsed = Uri.parse(uri)
    val told = try {
        resolver.query(parsed, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use { rows ->
            if (rows.moveToFirst()) rows.getString(0) else null
        }
    } catch (_: RuntimeException) {
        // Whatever the app behind it throws, a missing name stops no check.
        null
    }
    return told ?: parsed.lastPathSegment?.substringAfterLast('/') ?: uri
}

@TargetApi(Build.VERSION_CODES.TIRAMISU)
private fun typedStream(intent: Intent): Uri? = intent.getParcelableExtra(Intent.EXTRA_STREAM, Uri::class.java)

/** The video that a share brings, null where it brings none. A file of this app's own is not for others to name. */
fun sharedVideo(intent: Intent): Uri? {
    if (intent.action != Intent.ACTION_SEND) return null
    val uri = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
        typedStream(intent)
    } else {
        @Suppress("DEPRECATION")
        intent.getParcelableExtra(Intent.EXTRA_STREAM)
    }
    return uri?.takeIf { it.scheme == ContentResolver.SCHEME_CONTENT }
}
