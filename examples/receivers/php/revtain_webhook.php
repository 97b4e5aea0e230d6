<?php

// Checks Revtain's webhooks with nothing but PHP 8. Copy this file.

declare(strict_types=1);

const REVTAIN_TOLERANCE_SECONDS = 300;

/**
 * The dated Standard Webhooks signature. True when one of the secrets signed these bytes within the last five minutes.
 * $body is the raw body, file_get_contents('php://input'): never parse it first. $headers is what getallheaders() gives.
 */
function revtain_verify_standard(string $body, array $headers, array $secrets, ?int $now = null): bool
{
    $id = revtain_header($headers, 'webhook-id');
    $timestamp = revtain_header($headers, 'webhook-timestamp');
    $given = explode(' ', revtain_header($headers, 'webhook-signature'));
    if ($id === '' || str_contains($id, '.') || !preg_match('/\A[0-9]{1,12}\z/', $timestamp)) {
        return false;
    }
    if (abs(($now ?? time()) - (int) $timestamp) > REVTAIN_TOLERANCE_SECONDS) {
        return false;
    }

    foreach ($secrets as $secret) {
        $key = revtain_key(trim($secret));
        if ($key === null) {
            continue;
        }
        $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
        foreach ($given as $each) {
            // Compares the texts: a decoder would take several spellings of one signature.
            if (hash_equals($expected, $each)) {
                return true;
            }
        }
    }
    return false;
}

/** The plain X-Revtain-Signature. It has no date: remember the ids of events, or an old copy is taken again. */
function revtain_verify_plain(string $body, array $headers, array $secrets): bool
{
    $given = revtain_header($headers, 'x-revtain-signature');
    foreach (array_filter(array_map('trim', $secrets), fn ($secret) => $secret !== '') as $secret) {
        if (hash_equals(hash_hmac('sha256', $body, $secret), $given)) {
            return true;
        }
    }
    return false;
}

/** The key is what the part after whsec_ encodes. */
function revtain_key(string $secret): ?string
{
    if (!preg_match('#\Awhsec_[A-Za-z0-9+/]+={0,2}\z#', $secret)) {
        return null;
    }
    $key = base64_decode(substr($secret, strlen('whsec_')), true);
    return $key === false || $key === '' ? null : $key;
}

function revtain_header(array $headers, string $name): string
{
    foreach ($headers as $key => $value) {
        if (strtolower((string) $key) === $name) {
            return trim((string) $value);
        }
    }
    return '';
}
