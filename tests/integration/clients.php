<?php
// clients.php - asks through clients/php/picstore.php; prints what came back as JSON.
// usage: php clients.php FILE HOST PORT ORDER METHOD [ARGUMENTS AS JSON]
require $argv[1];
$store = new Picstore($argv[2], (int)$argv[3], $argv[4], 20);
$store->user = 10001;
try {
    $result = $store->{$argv[5]}(...json_decode($argv[6] ?? '[]', true));
    echo json_encode(['result' => $result]);
} catch (PicstoreError $error) {
    echo json_encode(['code' => $error->getCode(), 'word' => $error->word(), 'sent' => $error->sent,
        'message' => $error->getMessage()]);
}
