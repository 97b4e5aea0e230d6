import { IsInt, IsISO4217CurrencyCode, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';

/** The fields that the bench sends. */
export class ExecuteDto {
  @IsString()
  @MaxLength(255)
  paymentMethodToken!: string;

  @IsInt()
  @Min(1)
  @Max(99_999_999)
  amount!: number;

  @IsOptional()
  @IsISO4217CurrencyCode()
  currency?: string;

  @IsString()
  @MaxLength(255)
  reference!: string;

  @IsString()
  @MaxLength(255)
  idempotencyKey!: string;
}
