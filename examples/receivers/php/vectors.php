<?php

// Runs the shared vectors: `php vectors.php [file]`.

declare(strict_types=1);

require __DIR__ . '/revtain_webhook.php';

$file = $argv[1] ?? __DIR__ . '/../../../test/contract/signature-vectors-receiver.json';
$vectors = json_decode(file_get_contents($file), true, 512, JSON_THROW_ON_ERROR)['vectors'];
$failed = 0;
foreach ($vectors as $vector) {
    $body = base64_decode($vector['bodyBase64'], true);
    $verified = $vector['scheme'] === 'standard'
        ? revtain_verify_standard($body, $vector['headers'], $vector['secrets'], $vector['now'])
        : revtain_verify_plain($body, $vector['headers'], $vector['secrets']);
    $passed = $verified === ($vector['expected'] === 'verified');
    $failed += $passed ? 0 : 1;
    echo $passed ? 'pass' : 'FAIL', ' ', $vector['name'], "\n";
}
echo count($vectors) - $failed, ' passed, ', $failed, " failed\n";
exit($failed === 0 ? 0 : 1);
